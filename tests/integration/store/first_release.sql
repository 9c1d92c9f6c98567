-- What the release without migrations made, with one call that ended and one that did not.
CREATE TABLE IF NOT EXISTS api_keys (
    digest BLOB NOT NULL,
    name VARCHAR(256) NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    PRIMARY KEY (digest)
);
CREATE TABLE IF NOT EXISTS calls (
    id VARCHAR(36) NOT NULL,
    caller_id VARCHAR(256) NOT NULL,
    participants TEXT NOT NULL,
    call_type VARCHAR(16) NOT NULL,
    status VARCHAR(16) NOT NULL,
    is_active BOOLEAN NOT NULL,
    start_time BIGINT NOT NULL,
    answered_at BIGINT,
    end_time BIGINT,
    room_id VARCHAR(36),
    metadata TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    hangup_cause INTEGER,
    dial_status VARCHAR(32),
    ring_ms INTEGER,
    answered_ms INTEGER,
    asterisk_system VARCHAR(128),
    asterisk_unique_id VARCHAR(150),
    PRIMARY KEY (id),
    CONSTRAINT one_call_per_channel UNIQUE (asterisk_unique_id, asterisk_system)
);
CREATE INDEX IF NOT EXISTS active_calls ON calls (is_active, start_time, id);
CREATE TABLE IF NOT EXISTS call_events (
    id INTEGER NOT NULL,
    call_id VARCHAR(36) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    at BIGINT NOT NULL,
    actor VARCHAR(256) NOT NULL,
    facts TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(call_id) REFERENCES calls (id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS events_of_call ON call_events (call_id, id);
CREATE TABLE IF NOT EXISTS call_parties (
    party VARCHAR(256) NOT NULL,
    call_id VARCHAR(36) NOT NULL,
    is_active BOOLEAN NOT NULL,
    start_time BIGINT NOT NULL,
    PRIMARY KEY (party, call_id),
    FOREIGN KEY(call_id) REFERENCES calls (id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS active_calls_of_party ON call_parties (party, is_active, start_time, call_id);
CREATE INDEX IF NOT EXISTS parties_of_call ON call_parties (call_id);
CREATE TABLE IF NOT EXISTS idempotency_keys (
    identity VARCHAR(256) NOT NULL,
    "key" VARCHAR(255) NOT NULL,
    fingerprint BLOB NOT NULL,
    call_id VARCHAR(36) NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (identity, "key"),
    FOREIGN KEY(call_id) REFERENCES calls (id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS keys_by_age ON idempotency_keys (created_at);
CREATE INDEX IF NOT EXISTS keys_of_call ON idempotency_keys (call_id);
INSERT INTO api_keys VALUES (x'0102', 'alice', '["voip.call"]', 1767268800000000, NULL);
INSERT INTO calls VALUES (
    'call-1', 'alice', '["bob"]', 'audio', 'ended', 1 = 0, 1767268800123456, 1767268801000000,
    1767268861000000, NULL, '{"name":"Zoë"}', 1767268861000001, 16, 'ANSWER', 876, 60000, 'pbx1', '17.4'
);
INSERT INTO calls VALUES (
    'call-2', 'bob', '["alice"]', 'video', 'ringing', 1 = 1, 1767268900000000, NULL,
    NULL, NULL, '{}', 1767268900000000, NULL, NULL, NULL, NULL, NULL, NULL
);
INSERT INTO call_parties VALUES ('alice', 'call-1', 1 = 0, 1767268800123456);
INSERT INTO call_parties VALUES ('bob', 'call-1', 1 = 0, 1767268800123456);
INSERT INTO call_parties VALUES ('alice', 'call-2', 1 = 1, 1767268900000000);
INSERT INTO call_parties VALUES ('bob', 'call-2', 1 = 1, 1767268900000000);
INSERT INTO call_events VALUES (1, 'call-1', 'created', 1767268800123456, 'alice', '{}');
INSERT INTO call_events VALUES (2, 'call-2', 'created', 1767268900000000, 'bob', '{}');
INSERT INTO call_events VALUES (3, 'call-1', 'ended', 1767268861000001, 'service', '{"hangup_cause":16}');
INSERT INTO idempotency_keys VALUES ('alice', 'k', x'0a0b', 'call-1', 1767268800123456);
