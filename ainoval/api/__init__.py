"""What every REST endpoint shares: problem documents, strict parsing, pages, health, and the OpenAPI document."""
