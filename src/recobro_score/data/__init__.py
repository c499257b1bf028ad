"""Tables in: contracts, quarantine, the portfolio and its event store."""
