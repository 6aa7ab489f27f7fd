// An OpenID Connect provider at https://localhost:PORT: node provider.mjs PORT CERTIFICATE_AND_KEY. A password is not checked. Each
// account's name begins with its role, "customer-kim"; "staff-..." belongs to the hospital in the environment variable HOSPITAL.
// Each process has new keys. Prints "ready" when it serves.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";

import Provider from "oidc-provider";

const [port, file] = process.argv.slice(2);
const issuer = `https://localhost:${port}`;

function key(type, options, algorithm) {
  const jwk = generateKeyPairSync(type, options).privateKey.export({ format: "jwk" });
  return { ...jwk, kid: randomUUID(), use: "sig", alg: algorithm };
}

// The resources of one audience, for which the provider signs with different algorithms.
const resources = {
  "https://screening.example/es": { audience: "screening", algorithm: "ES256" },
  "https://screening.example/rs": { audience: "screening", algorithm: "RS256" },
  "https://screening.example/eddsa": { audience: "screening", algorithm: "EdDSA" },
  "https://other.example/": { audience: "other", algorithm: "ES256" },
};

const provider = new Provider(issuer, {
  clients: [{
    client_id: "page",
    token_endpoint_auth_method: "none",
    application_type: "web",
    redirect_uris: ["https://page.example/callback"],
    id_token_signed_response_alg: "ES256",
  }],
  jwks: { keys: [key("ec", { namedCurve: "P-256" }, "ES256"), key("rsa", { modulusLength: 2048 }, "RS256"), key("ed25519", {}, "EdDSA")] },
  cookies: { keys: [randomUUID()] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  features: {
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => {
        const { audience, algorithm } = resources[resource];
        return { scope: "openid", audience, accessTokenFormat: "jwt", jwt: { sign: { alg: algorithm } } };
      },
    },
  },
  extraTokenClaims: (_, token) => {
    const role = token.accountId.split("-")[0];
    return role === "staff" ? { role, hospitals: [process.env.HOSPITAL] } : { role };
  },
  pkce: { methods: ["S256"], required: () => true },
});

const pem = readFileSync(file);
createServer({ cert: pem, key: pem }, provider.callback()).listen(Number(port), "127.0.0.1", () => console.log("ready"));
