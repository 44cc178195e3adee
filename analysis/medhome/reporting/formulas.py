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


def formula(latex: str, reading: str) -> Block:
    """A formula on a line of its own; ``reading`` says it in words, for plain text and for screen readers."""
    markup = convert(latex, display="block").replace("<math ", f'<math aria-label="{escape(reading)}" ', 1)
    return Block(html=f'<div class="scroll" tabindex="0">{markup}</div>', text=reading)
