"""Difference in differences on any panel: one estimator a module, each from PanelData to PanelEstimate."""
