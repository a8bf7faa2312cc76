/** What an image needs to know of 64-bit little-endian ELF files (System V gABI, chapters 4 and 5). */
export interface Elf {
  /** Path of the dynamic linker (PT_INTERP); none in libraries. */
  readonly interpreter: string | undefined;
  /** DT_NEEDED, in order. */
  readonly needed: readonly string[];
  /** End of the last byte that a segment takes from the file. */
  readonly loadedBytes: number;
}

const HEADER = { phoff: 32, shoff: 40, phentsize: 54, phnum: 56, shnum: 60, shstrndx: 62 } as const;
const SEGMENT = { offset: 8, vaddr: 16, filesz: 32 } as const;
const PT = { load: 1, dynamic: 2, interp: 3 } as const;
const DT = { needed: 1n, strtab: 5n } as const;

export function isElf(file: Buffer): boolean {
  return file.length >= 64 && file.readUInt32BE(0) === 0x7f454c46 && file[4] === 2 && file[5] === 1;
}

function text(file: Buffer, at: number): string {
  return file.toString('latin1', at, file.indexOf(0, at));
}

/** Throws for what is no such file. */
export function readElf(file: Buffer): Elf {
  if (!isElf(file)) throw new Error('not a 64-bit little-endian ELF file');
  const number = (at: number) => Number(file.readBigUInt64LE(at));
  const segments = Array.from({ length: file.readUInt16LE(HEADER.phnum) }, (_, i) => {
    const at = number(HEADER.phoff) + i * file.readUInt16LE(HEADER.phentsize);
    return {
      type: file.readUInt32LE(at),
      offset: number(at + SEGMENT.offset),
      vaddr: number(at + SEGMENT.vaddr),
      size: number(at + SEGMENT.filesz),
    };
  });
  const interp = segments.find(({ type }) => type === PT.interp);
  const dynamic = segments.find(({ type }) => type === PT.dynamic);
  const entries: [bigint, number][] = [];
  if (dynamic !== undefined)
    for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16)
      entries.push([file.readBigInt64LE(at), number(at + 8)]);
  const strings = entries.find(([tag]) => tag === DT.strtab)?.[1] ?? 0;
  const home = segments.find(
    ({ type, vaddr, size }) => type === PT.load && strings >= vaddr && strings < vaddr + size,
  );
  const table = home === undefined ? 0 : strings - home.vaddr + home.offset;
  return {
    interpreter: interp && text(file, interp.offset),
    needed: entries.filter(([tag]) => tag === DT.needed).map(([, name]) => text(file, table + name)),
    loadedBytes: Math.max(...segments.map(({ offset, size }) => offset + size)),
  };
}

/**
 * The file without symbols, debugging information and section table: what `strip --strip-section-headers` leaves. Done here because a processor's
 * binutils strip its own files only, and because two versions of them do not write the same bytes.
 */
export function stripElf(file: Buffer): Buffer {
  const stripped = Buffer.from(file.subarray(0, readElf(file).loadedBytes));
  stripped.writeBigUInt64LE(0n, HEADER.shoff);
  stripped.writeUInt16LE(0, HEADER.shnum);
  stripped.writeUInt16LE(0, HEADER.shstrndx);
  return stripped;
}
