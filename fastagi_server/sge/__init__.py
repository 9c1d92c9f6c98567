"""The SGE VoIP API as a client: requests, answers, and what may go wrong between them."""
