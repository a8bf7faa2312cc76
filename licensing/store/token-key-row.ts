import type { TokenKeyRecord } from './store.ts';

/** A row of the table `token_keys`, as every database driver gives it. */
export interface TokenKeyRow {
  key_id: string;
  public_key: Uint8Array;
  created_at: number;
  expires_at: number;
}

export function tokenKeyOfRow(row: TokenKeyRow): TokenKeyRecord {
  return {
    keyId: row.key_id,
    publicKey: new Uint8Array(row.public_key),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  };
}
