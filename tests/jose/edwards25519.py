"""Ed25519 by its definition (RFC 8032, section 5.1), plain and slow: for points of small order."""

from __future__ import annotations

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, P) % P

Point = tuple[int, int]
NEUTRAL: Point = (0, 1)


def add(a: Point, b: Point) -> Point:
    product = _D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + product, -1, P)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P)
    return x % P, y % P


def multiply(point: Point, factor: int) -> Point:
    result = NEUTRAL
    for bit in f"{factor:b}":
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def point_at(y: int) -> Point | None:
    """The point with this y and an even x, if there is one."""
    square = (y * y - 1) * pow(_D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square:
        return None
    return (P - x if x % 2 else x), y


def encode(point: Point) -> bytes:
    return (point[1] | (point[0] % 2) << 255).to_bytes(32, "little")


def points_of_small_order() -> set[Point]:
    """The eight points whose order divides 8: what is left of any point times the order of the base point."""
    found: set[Point] = set()
    y = 2
    while len(found) < 8:
        y += 1
        point = point_at(y)
        if point is not None:
            torsion = multiply(point, ORDER)
            found |= {multiply(torsion, factor) for factor in range(8)}
    return found
