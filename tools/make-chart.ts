import { packageChart } from './package-chart.ts';

// make chart: dist/charts/licensing-<version>.tgz, with the digests in dist/images/values.yaml.
console.log(await packageChart('dist/images/values.yaml', 'dist/charts'));
