/** What a user should know although nothing is refused. */
export type NoticeCode =
  | 'node-new'
  | 'attestation-key-new'
  | 'node-restarted'
  | 'ca-new-roots'
  | 'trust-document-old'
  | 'trust-document-withheld';

/** Something new that a user should see and that refuses nothing. */
export interface Notice {
  readonly code: NoticeCode;
  readonly message: string;
}
