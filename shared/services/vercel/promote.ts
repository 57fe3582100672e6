import { productionKind } from './production-kind.ts';

/** Points production at a deployment that was built for it. https://vercel.com/docs/deployments/promoting-a-deployment */
export const kind = productionKind('promote', 'Vercel promotion', 'The deployment to promote.');
