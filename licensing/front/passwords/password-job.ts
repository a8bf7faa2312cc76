/** What the pool and its worker say to each other. Passwords are UTF-8 bytes and never logged. */
export type PasswordJob =
  | { readonly id: number; readonly kind: 'hash'; readonly password: Uint8Array; readonly logN: number }
  | { readonly id: number; readonly kind: 'verify'; readonly password: Uint8Array; readonly key: Uint8Array };

export type PasswordAnswer =
  | { readonly id: number; readonly kind: 'hash'; readonly key: Uint8Array }
  | { readonly id: number; readonly kind: 'verify'; readonly matches: boolean }
  | { readonly id: number; readonly kind: 'error'; readonly message: string };
