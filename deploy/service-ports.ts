import type { AtomSettings } from './settings.ts'

export const SERVICES = ['marketplace', 'billing', 'governance', 'portal', 'data'] as const
export type ServiceName = (typeof SERVICES)[number]

export const portOf = (settings: AtomSettings, name: ServiceName): number =>
  ({
    marketplace: settings.portMarketplace,
    billing: settings.portBilling,
    governance: settings.portGovernance,
    portal: settings.portPortal,
    data: settings.portData,
  })[name]
