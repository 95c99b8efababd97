"""Accuracies, risks and their uncertainty."""
