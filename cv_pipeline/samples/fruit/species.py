"""The kinds of fruit: proportions, colours and surface.

Colours are albedos in display space, 0 to 1; painting squares them to get linear light. The
table is all that distinguishes one kind from another, apart from the outline and the marks that
``painting`` draws by name.
"""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Species:
    """How one kind of fruit looks.

    Attributes:
        length: half its length along the stem axis, in pixels of the final image.
        girth: half its width, as a share of ``length``.
        outline: name of the outline: round, pear, lemon or banana.
        skins: pairs of colours that the skin is mixed from, one pair an individual.
        gloss: strength of the highlight, 0 to 1.
        sharpness: how small the highlight is: number of squarings of the cosine.
        bumps: depth of the skin's texture.
        reach: how far anything of it reaches from its centre, in lengths.
    """

    length: float
    girth: float
    outline: str
    skins: tuple[tuple[Colour, Colour], ...]
    gloss: float
    sharpness: int
    bumps: float
    reach: float = 1.4


SPECIES = {
    "apple": Species(
        15.5,
        1.03,
        "round",
        (
            ((0.66, 0.08, 0.13), (0.86, 0.62, 0.30)),
            ((0.58, 0.05, 0.12), (0.74, 0.20, 0.18)),
            ((0.52, 0.68, 0.16), (0.70, 0.78, 0.32)),
        ),
        0.50,
        5,
        0.02,
    ),
    "banana": Species(
        27.0,
        0.24,
        "banana",
        (
            ((0.96, 0.80, 0.20), (0.93, 0.74, 0.14)),
            ((0.95, 0.83, 0.27), (0.72, 0.74, 0.20)),
        ),
        0.18,
        3,
        0.02,
        reach=1.0,
    ),
    "orange": Species(
        14.5,
        1.0,
        "round",
        (((0.98, 0.55, 0.06), (0.96, 0.48, 0.04)), ((0.97, 0.60, 0.10), (0.98, 0.53, 0.05))),
        0.26,
        4,
        0.16,
    ),
    "tomato": Species(
        13.5,
        1.08,
        "round",
        (((0.86, 0.14, 0.07), (0.90, 0.24, 0.10)), ((0.80, 0.10, 0.06), (0.86, 0.17, 0.08))),
        0.62,
        6,
        0.0,
    ),
    "lemon": Species(
        14.0,
        0.74,
        "lemon",
        (((0.99, 0.88, 0.20), (0.96, 0.84, 0.16)), ((0.96, 0.90, 0.28), (0.88, 0.86, 0.26))),
        0.26,
        4,
        0.12,
    ),
    "pear": Species(
        18.5,
        0.70,
        "pear",
        (
            ((0.70, 0.76, 0.26), (0.80, 0.80, 0.36)),
            ((0.78, 0.72, 0.30), (0.74, 0.46, 0.22)),
        ),
        0.22,
        4,
        0.04,
    ),
    "plum": Species(
        11.5,
        0.88,
        "round",
        (((0.36, 0.13, 0.35), (0.50, 0.22, 0.44)), ((0.30, 0.14, 0.40), (0.44, 0.30, 0.52))),
        0.28,
        4,
        0.02,
    ),
    "kiwi": Species(
        12.5,
        0.82,
        "round",
        (((0.50, 0.38, 0.20), (0.42, 0.32, 0.16)),),
        0.06,
        2,
        0.30,
    ),
}

LABELS = tuple(SPECIES)
RARE_LABEL = "kiwi"
