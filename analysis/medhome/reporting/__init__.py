"""The story: results in, pictures and pages out."""
