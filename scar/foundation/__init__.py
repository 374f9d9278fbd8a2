"""Foundation Data Size: from measures and errors to how much data is enough (§3)."""
