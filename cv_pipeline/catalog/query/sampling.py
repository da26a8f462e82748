"""Random samples as SQL: the same seed draws the same images on any machine.

Images are put in the order of the MD5 of ``SEED:IMAGE_ID``, and the first are taken. A stratified
sample gives every stratum its share of the sample by the largest remainder, and one image at least
where the sample has as many images as there are strata.
"""

from __future__ import annotations

from cv_pipeline.catalog.query.nodes import Sample
from cv_pipeline.catalog.query.statement import Statement

# A stratum's quota is what it has at least (one image, or none where there are more strata than
# images to draw) and its part of the rest (pool), in proportion to what it still claims: its share
# of the sample less what it has, times the number of images so that it is a whole number. Where
# every share is one or more this is the method of the largest remainder. HUGEINT holds the
# products exactly; ties of remainders go to the larger stratum, then by the first draw in it.
_QUOTAS = """
strata AS (
  SELECT stratum, count(*)::HUGEINT AS size, min(draw) AS first_draw
  FROM matching GROUP BY stratum
),
totals AS (
  SELECT sum(size) AS images, count(*)::HUGEINT AS strata, least({size}, sum(size)) AS drawn
  FROM strata
),
claims AS (
  SELECT stratum, size, first_draw, minimum, drawn - minimum * strata AS pool,
    CASE WHEN minimum = 1 THEN greatest(drawn * size - images, 0) ELSE size END AS claim
  FROM strata, (SELECT *, CASE WHEN drawn >= strata THEN 1 ELSE 0 END AS minimum FROM totals)
),
shares AS (
  SELECT *, pool * claim // greatest(sum(claim) OVER (), 1) AS share,
    pool * claim % greatest(sum(claim) OVER (), 1) AS remainder
  FROM claims
),
quotas AS (
  SELECT stratum, minimum + share + CASE
    WHEN row_number() OVER (ORDER BY remainder DESC, size DESC, first_draw)
      <= pool - sum(share) OVER ()
    THEN 1 ELSE 0 END AS quota
  FROM shares
),
places AS (
  SELECT n, stratum, row_number() OVER (PARTITION BY stratum ORDER BY draw, n) AS place
  FROM matching
),
sampled AS (
  SELECT n FROM places JOIN quotas ON places.stratum IS NOT DISTINCT FROM quotas.stratum
  WHERE place <= quota
)""".strip()


def sample_steps(
    sample: Sample, *, where: list[str], by: tuple[str, list[str]] | None, statement: Statement
) -> list[str]:
    """Common table expressions of which the last, ``sampled``, has the ``n`` of the sample.

    Args:
        sample: what to draw.
        where: SQL of the conditions that the images meet.
        by: JOIN and expression of the strata; None for a plain sample.
        statement: binds the values.
    """
    join, expressions = by or ("", [])
    stratum = f", {expressions[-1]} AS stratum" if expressions else ""
    draw = f"md5(concat({statement.bind(str(sample.seed))}, ':', images.image_id)) AS draw"
    conditions = "".join(f"\n  {'AND' if n else 'WHERE'} {c}" for n, c in enumerate(where))
    matching = f"matching AS (\n  SELECT images.n, {draw}{stratum}\n  FROM images {join}"
    matching = f"{matching.rstrip()}{conditions}\n)"
    size = statement.bind(sample.size)
    if not stratum:
        return [
            matching,
            f"sampled AS (\n  SELECT n FROM matching ORDER BY draw, n LIMIT {size}\n)",
        ]
    return [matching, _QUOTAS.format(size=size)]
