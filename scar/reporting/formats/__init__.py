"""What a report is written as: Markdown, LaTeX, CSV, HTML, terminal, dataset card, W&B."""
