"""Webhooks after the Standard Webhooks specification (https://www.standardwebhooks.com): what is said, how it is
signed, when it is said again, and the message in the queue that stands for the next attempt."""

from reelhaul.webhooks.messages import WebhookMessage, WebhookQueue

__all__ = ["WebhookMessage", "WebhookQueue"]
