"""The benchmark behind `scripts/bench`: a load client, scenarios, and the table that comes of them."""
