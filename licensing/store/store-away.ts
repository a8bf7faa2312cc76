/**
 * The database cannot be used at this moment: it is away, restarting, overloaded or refuses us. What was asked for may or may not
 * have been done. The message is one line without secrets.
 */
export class StoreAway extends Error {
  override readonly name = 'StoreAway';
}
