"""Formulas as MathML, made when a page is built: nothing is fetched, and no script runs."""

from __future__ import annotations

from latex2mathml.converter import convert

from medhome.reporting.blocks import Block, escape

TWO_WAY = r"y_{pt} = \alpha_p + \delta_t + \beta \, (T_p \times A_t) + \gamma \, x_{pt} + \varepsilon_{pt}"
"""Two-way fixed effects on practice and month, weighted by member-months (`docs/methods.md`)."""

RANDOM_EFFECTS = r"y_{jt} = a_j + m_t + \tau_t \, T_j + u_{jt} + e_{jt}"
"""The organisation-month random-effects model behind the headline interval (`docs/methods.md`)."""

COVARIANCE = r"V_{j,st} = \sigma^2 \rho^{|s-t|} + \Sigma_{st} / \sqrt{M_{js} M_{jt}}"
"""Its covariance between months s and t of one organisation: its own shocks, and its sampling of members."""

_E1 = r"E1 = A_{T0} \, \frac{A_{C1}}{A_{C0}} \, \rho, \qquad \rho = \frac{R_{T1} / R_{T0}}{R_{C1} / R_{C0}}"
_E1B = r"E1b = A_{T0} \, (1 + g)^{y} \, \frac{R_{T1}}{R_{T0}}"
_E2 = r"E2 = \frac{1}{W} \sum_{i} w_{i} \, \hat{m}_{C1}(x_{i})"
_E3 = r"E3 = A_{T1} - \hat{\beta}"
_E4 = r"E4 = \sum_{k} s_{k} \sum_{b} v_{b} \, A_{T, k b} \, u_{k b} \, r_{k b}"
_E5 = r"E5 = A_{C1} \, \frac{R_{T1}}{R_{C1}}"
_E5_TREND = r"E5 = 100 \left( \frac{A_{T1}}{A_{T0}} - \frac{A_{C1}}{A_{C0}} \, \rho \right)"
_RATIO = r"\text{actual over expected} = A_{T1} / E"

EXPECTED: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("E1",),
        _E1,
        "E1, the own baseline carried forward: {arm}'s cost before the start, times the comparison "
        "arm's growth, times how much more {arm}'s risk changed than the comparison arm's",
    ),
    (
        ("E1b",),
        _E1B,
        "E1b, the own baseline at a declared trend: {arm}'s cost before the start, times the growth g "
        "that the study file declares over y years, times the change of {arm}'s risk",
    ),
    (
        ("E2",),
        _E2,
        "E2, what peers would have cost: the cost model fitted on the comparison arm after the start, "
        "applied to {arm}'s member-months w of the time after the start, W in all",
    ),
    (("E3",), _E3, "E3, the counterfactual of the difference in differences: actual cost less the effect"),
    (
        ("E4",),
        _E4,
        "E4, the benchmark of a contract: over rate cells k with share s and base years b with weight v, "
        "{arm}'s cost, times the update u to the time after the start, times the capped ratio r of risk",
    ),
    (
        ("E5_level",),
        _E5,
        "E5, peers at the same risk: the comparison arm's cost after the start, times the ratio of risks",
    ),
    (
        ("E5_trend",),
        _E5_TREND,
        "E5 as a trend, in percentage points: {arm}'s growth less the comparison arm's at the same change of "
        "risk, which is E1's difference over the baseline",
    ),
    (
        ("E1", "E1b", "E2", "E3", "E4", "E5_level"),
        _RATIO,
        "Actual over expected, under each definition: {arm}'s cost after the start over the expected",
    ),
)
"""Formulas of expected cost, each with its definitions (`docs/methods.md`). {arm}: who is treated."""

RETURN = r"\text{return} = -\hat{\beta}_{\text{paid}} / F"
SAVINGS: tuple[tuple[str, str], ...] = (
    (r"G = -\hat{\beta}", "gross savings = minus the effect on allowed cost below the cap"),
    (
        r"N = -(\hat{\beta}_{\text{paid}} + \hat{\beta}_{\text{above the cap}}) - F",
        "net savings = minus the effects on paid cost below the cap and above it, less program payments",
    ),
    (RETURN, "return = gross savings in paid cost below the cap for each dollar of program payments"),
)
"""The formulas of savings (`docs/methods.md`)."""


def formula(latex: str, reading: str) -> Block:
    """A formula on a line of its own; ``reading`` says it in words, for plain text and for screen readers."""
    markup = convert(latex, display="block").replace("<math ", f'<math aria-label="{escape(reading)}" ', 1)
    return Block(html=f'<div class="scroll" tabindex="0">{markup}</div>', text=reading)
