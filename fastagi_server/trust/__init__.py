"""What is trusted to prove an identity: keys and accounts, from files and from an issuer."""
