"""Whether a certificate was revoked: CRLs and OCSP answers, verified here whoever fetched them. No network."""
