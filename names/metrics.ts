import type { Component } from './components.ts';

/** Every metric of a component begins with this. */
export function metricPrefix(component: Component | 'sidecar'): string {
  return `enclave_${component}_`;
}
