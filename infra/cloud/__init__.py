"""The template in an AWS account: the CDK's command line, after a look at whether it can succeed."""
