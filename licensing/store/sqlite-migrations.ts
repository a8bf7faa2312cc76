/** The schema's steps, in order; `user_version` counts those taken. A step that has been released never changes. */
export const SQLITE_MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE users (
    name TEXT PRIMARY KEY,
    password_key BLOB NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE licences (
    user TEXT PRIMARY KEY REFERENCES users (name),
    seats INTEGER NOT NULL CHECK (seats >= 0)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE enclaves (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES users (name),
    launch_id BLOB NOT NULL,
    profile TEXT NOT NULL,
    owner_key_sha256 TEXT NOT NULL,
    nonce BLOB NOT NULL,
    certificate_request BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('launching', 'ready', 'stopping', 'failing', 'stopped', 'failed')),
    phase INTEGER NOT NULL,
    reason TEXT NOT NULL,
    reason_code TEXT NOT NULL,
    namespace TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    server_name TEXT NOT NULL,
    profile_spec TEXT NOT NULL,
    attended_at INTEGER NOT NULL,
    delivered INTEGER NOT NULL CHECK (delivered IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (user, launch_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX enclaves_by_user ON enclaves (user, created_at DESC, id);
  CREATE INDEX enclaves_by_state ON enclaves (state);

  CREATE TABLE token_keys (
    key_id TEXT PRIMARY KEY,
    private_key BLOB NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE enclaves ADD COLUMN message TEXT NOT NULL DEFAULT '';
  ALTER TABLE enclaves ADD COLUMN driver TEXT NOT NULL DEFAULT '';

  CREATE TABLE fronts (
    name TEXT PRIMARY KEY,
    joined_at INTEGER NOT NULL,
    alive_until INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  DROP TABLE token_keys;
  CREATE TABLE token_keys (
    key_id TEXT PRIMARY KEY,
    public_key BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
];
