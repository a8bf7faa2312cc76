/** What is asked, as authorization sees it. A path request has `path` and a verb only. */
export interface Attributes {
  readonly verb: string;
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly namespace?: string | undefined;
  readonly name?: string;
  readonly path?: string;
  readonly fieldSelector?: string;
}

export interface Decision {
  readonly allowed: boolean;
  /** Said after the refusal, when there is more to say than that no rule allows it. */
  readonly reason?: string;
}
