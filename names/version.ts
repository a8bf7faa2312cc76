/** Of this release: `version` of package.json, of the images' labels and of `--version`. */
export const VERSION = '0.1.0';
