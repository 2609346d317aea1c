"""Real providers in one call: functions that return a `Provider` with what is peculiar to each.

A preset is an ordinary `Provider`: look at it, and replace any part by keyword. Each refuses the mistakes
that are made with its provider, when it is built. It fetches nothing; facts about a provider stand in its own
file, with their source and date.
"""

from __future__ import annotations

from bearerguard.presets.auth0 import auth0
from bearerguard.presets.authentik import authentik
from bearerguard.presets.aws_alb import aws_alb
from bearerguard.presets.ci import github_actions, gitlab_ci
from bearerguard.presets.clerk import clerk
from bearerguard.presets.cloudflare_access import cloudflare_access
from bearerguard.presets.cognito import cognito
from bearerguard.presets.entra import entra
from bearerguard.presets.google import firebase, google, google_iap
from bearerguard.presets.keycloak import keycloak
from bearerguard.presets.kubernetes import kubernetes
from bearerguard.presets.okta import okta
from bearerguard.presets.spiffe import spiffe
from bearerguard.presets.supabase import supabase
from bearerguard.presets.zitadel import zitadel

__all__ = [
    "auth0",
    "authentik",
    "aws_alb",
    "clerk",
    "cloudflare_access",
    "cognito",
    "entra",
    "firebase",
    "github_actions",
    "gitlab_ci",
    "google",
    "google_iap",
    "keycloak",
    "kubernetes",
    "okta",
    "spiffe",
    "supabase",
    "zitadel",
]
