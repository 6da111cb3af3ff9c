"""Ways to lose or harm something, by name in campaign.py."""
