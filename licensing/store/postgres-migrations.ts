/**
 * The schema's steps, in order; the table `schema_version` counts those taken. A step that has been released never changes, and only
 * adds: the release before serves on beside the new one while they are exchanged.
 */
export const POSTGRES_MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE users (
    name TEXT COLLATE "C" PRIMARY KEY,
    password_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL
  );

  CREATE TABLE licences (
    "user" TEXT COLLATE "C" PRIMARY KEY REFERENCES users (name),
    seats INTEGER NOT NULL CHECK (seats >= 0)
  );

  CREATE TABLE enclaves (
    id TEXT COLLATE "C" PRIMARY KEY,
    "user" TEXT COLLATE "C" NOT NULL REFERENCES users (name),
    launch_id BYTEA NOT NULL,
    profile TEXT NOT NULL,
    owner_key_sha256 TEXT NOT NULL,
    nonce BYTEA NOT NULL,
    certificate_request BYTEA NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('launching', 'ready', 'stopping', 'failing', 'stopped', 'failed')),
    phase INTEGER NOT NULL,
    message TEXT NOT NULL,
    reason TEXT NOT NULL,
    reason_code TEXT NOT NULL,
    namespace TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    server_name TEXT NOT NULL,
    profile_spec TEXT NOT NULL,
    attended_at BIGINT NOT NULL,
    delivered BOOLEAN NOT NULL,
    driver TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE ("user", launch_id)
  );
  CREATE INDEX enclaves_by_user ON enclaves ("user", created_at DESC, id);
  CREATE INDEX enclaves_by_state ON enclaves (state);

  CREATE TABLE fronts (
    name TEXT COLLATE "C" PRIMARY KEY,
    joined_at TIMESTAMPTZ NOT NULL,
    alive_until TIMESTAMPTZ NOT NULL
  );

  CREATE TABLE token_keys (
    key_id TEXT COLLATE "C" PRIMARY KEY,
    public_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
  );
  `,
];
