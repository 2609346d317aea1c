"""AWS Application Load Balancers that have logged users in.

Facts from AWS' "Authenticate users using an Application Load Balancer", of which excerpts were read on
2026-11-28: the claims of the userinfo endpoint come in `x-amzn-oidc-data`, signed with ES256 and base64url
with padding; `exp`, `iss`, `client` and `signer` stand in the header; each key is a PEM at an address of its
own, which is another one in GovCloud. Whoever can make any load balancer in the region gets such signatures,
so the `signer` has to be compared.
"""

from __future__ import annotations

import re
from typing import Any

from bearerguard.presets._inputs import provider, refuse, text
from bearerguard.provider import Profile, Provider, RemoteKeys
from bearerguard.provider.sources import Header

__all__ = ["aws_alb"]

_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):elasticloadbalancing:(?P<region>[a-z0-9-]+):\d{12}:loadbalancer/app/[^/\s]+/[0-9a-f]+"
)
_PROFILE = Profile("AWS_ALB", frozenset({None, "jwt"}))
_KID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ADDRESSES = {
    "aws": "https://public-keys.auth.elb.{region}.amazonaws.com/{{kid}}",
    "aws-us-gov": "https://s3-{region}.amazonaws.com/aws-elb-public-keys-prod-{region}/{{kid}}",
}
_DAY = 24 * 3600


def aws_alb(region: str, arn: str, *, client: str | None = None, **options: Any) -> Provider:
    """AWS Application Load Balancer: the claims that it puts into `x-amzn-oidc-data`.

    Args:
        region: `"eu-west-1"`.
        arn: the load balancer's own, whole: `"arn:aws:elasticloadbalancing:...:loadbalancer/app/..."`.
        client: the OAuth client id of its rule, to accept only that.
        **options: arguments of `Provider` that replace or add to these.

    Raises:
        ConfigurationError: the ARN of something else, or of another region.

    Examples:
        >>> lb = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop/0123456789abcdef"
        >>> aws_alb("eu-west-1", lb).remote_keys.url
        'https://public-keys.auth.elb.eu-west-1.amazonaws.com/{kid}'
    """
    name = text(
        "aws_alb", "arn", arn, "arn:aws:elasticloadbalancing:...:loadbalancer/app/shop/0123456789abcdef"
    )
    found = _ARN.fullmatch(name)
    if found is None:
        refuse(
            "aws_alb",
            f"arn is {name!r:.200}: write the ARN of the load balancer itself, with 'loadbalancer/app/', "
            "not that of a listener, a rule or a target group",
        )
    if found["region"] != region:
        refuse(
            "aws_alb",
            f"arn is of the region {found['region']!r}, and region is {region!r:.80}: write its own",
        )
    settings: dict[str, Any] = {
        "issuer": None,
        "audience": None,
        "signer": name,
        "algorithms": "ES256",
        "profile": _PROFILE,
        "client_claim": "client",
        "source": Header("x-amzn-oidc-data"),
    }
    if "keys" not in options:
        address = _ADDRESSES.get(found["partition"])
        if address is None:
            refuse(
                "aws_alb",
                f"arn is of the partition {found['partition']!r}, whose address of keys is not known here: "
                "give keys=RemoteKeys('https://.../{kid}', kid_pattern='[0-9a-f-]{36}')",
            )
        settings["keys"] = RemoteKeys(address.format(region=region), kid_pattern=_KID, lifetime=_DAY)
    if client is not None:
        settings["required_claims"] = {"client": text("aws_alb", "client", client, "1example23456789")}
    return provider(settings, options)
