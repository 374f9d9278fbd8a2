"""One file per dataset, and the readers that several of them share."""
