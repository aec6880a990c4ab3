#!/bin/sh
# propose.sh BRANCH: what has been changed in files under version control, as one commit on BRANCH and a pull request of it.
# A branch of that name is replaced, and an open pull request of it thereby brought up to date. Needs git, and gh with GH_TOKEN.
set -eu
branch=$1
if git diff --quiet; then
    echo "nothing to propose: nothing has changed"
    exit 0
fi
pin() { git show "$1:pyproject.toml" | sed -n 's/.*"yt-dlp\[default\]==\([^"]*\)".*/\1/p'; }
git switch --quiet --force-create "$branch"
git config user.name "github-actions[bot]"
git config user.email "41898282+github-actions[bot]@users.noreply.github.com"
git commit --quiet --all --message "The newest yt-dlp and base image"
title="yt-dlp $(pin HEAD)"
[ "$(pin HEAD)" != "$(pin HEAD~1)" ] || title="The base image as it is today"
git commit --quiet --amend --message "$title

Built into the image and tested there, by .github/workflows/newest-yt-dlp.yml."
gh auth setup-git
git push --quiet --force origin "HEAD:refs/heads/$branch"
if [ "$(gh pr list --head "$branch" --state open --json number --jq length)" = 0 ]; then
    gh pr create --head "$branch" --title "$title" --body "Built into the image and tested there: make e2e-image e2e-deploy test."
else
    gh pr edit "$branch" --title "$title"
fi
