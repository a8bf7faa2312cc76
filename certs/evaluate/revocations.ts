/** What the evaluation needs of the trust document's revocations. */
export interface Revocations {
  isPodRevoked(podUid: string): boolean;
  isUserRevoked(user: string): boolean;
  isGrantRevoked(grant: {
    readonly ownerKeySha256: string;
    readonly keySha256: string;
    readonly enclave: string;
  }): boolean;
}
