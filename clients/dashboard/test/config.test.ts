import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { sameSecret, signUserToken, verifyUserToken } from "../src/server/auth";
import { Cache } from "../src/server/cache";
import { type Config, readConfig } from "../src/server/config";
import { denialsState } from "../src/server/routes/session";
import { spanText } from "../src/web/format";
import { differences } from "../src/web/pages/limits/History";
import { fieldValue } from "../src/web/pages/limits/values";

const folder = mkdtempSync(join(tmpdir(), "dashboard-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
	const path = join(folder, name);
	writeFileSync(path, text);
	return path;
}

const token = file("token", "sixteen-characters-or-more\n");
const secret = file("secret", "thirty-two-characters-or-more-for-users\n");

let said = "";
function read(args: string[], env: NodeJS.ProcessEnv = {}): Config {
	said = "";
	const config = readConfig(args, env, "1.2.3", (text) => {
		said += text;
	});
	if (!config) throw new Error(`said: ${said}`);
	return config;
}

describe("the command line", () => {
	it("listens on loopback, without a token", () => {
		expect(read([])).toMatchObject({ command: "serve", host: "127.0.0.1", port: 4180, token: undefined });
	});

	it.each(["0.0.0.0", "::", "192.168.1.5", "example.com", "127.example.com"])(
		"wants a token on %s",
		(host) => {
			expect(() => read(["--host", host])).toThrow(/needs --token-file/);
			expect(read(["--host", host, "--token-file", token]).token).toBe("sixteen-characters-or-more");
		},
	);

	it.each(["127.0.0.1", "127.8.9.10", "::1", "localhost"])("wants none on %s", (host) => {
		expect(read(["--host", host]).host).toBe(host);
	});

	it("takes the token and the URL from the environment, the command line before it", () => {
		const env = { USAGE_DASHBOARD_TOKEN: "from-the-environment", DATABASE_URL: "postgresql://a/b" };
		expect(read([], env)).toMatchObject({ token: "from-the-environment", databaseUrl: "postgresql://a/b" });
		expect(read(["--token-file", token, "--database-url", "postgres://c/d"], env)).toMatchObject({
			token: "sixteen-characters-or-more",
			databaseUrl: "postgres://c/d",
		});
	});

	it("refuses short secrets", () => {
		expect(() => read([], { USAGE_DASHBOARD_TOKEN: "short" })).toThrow(/at least 16/);
		expect(() => read(["--token-file", token, "--user-secret-file", token])).toThrow(/at least 32/);
	});

	it("lets users in only where administrators have a token", () => {
		expect(() => read(["--user-secret-file", secret])).toThrow(/administrator/);
		expect(() => read(["--user-header", "X-User"])).toThrow(/administrator/);
		expect(read(["--user-header", "X-User", "--token-file", token]).userHeader?.name).toBe("x-user");
	});

	it("says nothing of a URL that it does not understand", () => {
		expect(() => read(["--database-url", "mysql://u:hidden@h/d"])).toThrow(
			/^(?!.*hidden).*starts with postgresql:/,
		);
		expect(() => read(["--database-url", "u:hidden"])).toThrow(/^(?!.*hidden)/);
	});

	it.each([
		[["--port", "x"]],
		[["--port", "65536"]],
		[["--nonsense"]],
		[["unknown"]],
		[["serve", "more"]],
		[["--user-header", "a b", "--token-file", token]],
		[["--user-header", "X", "--token-file", token, "--trusted-proxy", "10.0.0.0/33"]],
		[["--user-header", "X", "--token-file", token, "--trusted-proxy", "proxy.example"]],
		[["--public-url", "ftp://x"]],
		[["--token-file", join(folder, "missing")]],
		[["user-token", "ann"]],
		[["user-token", "--user-secret-file", secret]],
	])("refuses %j", (args) => {
		expect(() => read(args)).toThrow();
	});

	it("helps", () => {
		expect(readConfig(["--version"], {}, "1.2.3", (text) => expect(text).toBe("1.2.3\n"))).toBeUndefined();
		expect(readConfig(["-h"], {}, "1.2.3", (text) => expect(text).toMatch(/--token-file/))).toBeUndefined();
	});
});

describe("a user's token", () => {
	const key = "k".repeat(32);
	const now = Date.UTC(2026, 2, 13);
	const sign = (userId: string, hours = 1) => signUserToken({ userId, secret: key, hours }, now);
	const jwt = (header: unknown, payload: unknown) =>
		[header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");

	it("says who it is for, until it expires", () => {
		const signed = sign("ann/é 1");
		expect(verifyUserToken(signed, key, now)).toEqual({ userId: "ann/é 1", exp: now / 1000 + 3600 });
		expect(verifyUserToken(signed, key, now + 3_599_000)).toBeDefined();
		expect(verifyUserToken(signed, key, now + 3_600_000)).toBeUndefined();
	});

	it("is good for nothing when anything of it is another", () => {
		const signed = sign("ann");
		const [header, , signature] = signed.split(".");
		expect(verifyUserToken(signed, "x".repeat(32), now)).toBeUndefined();
		expect(verifyUserToken(`${signed}x`, key, now)).toBeUndefined();
		expect(verifyUserToken(`${signed}.x`, key, now)).toBeUndefined();
		expect(verifyUserToken(`${header}.${sign("bob").split(".")[1]}.${signature}`, key, now)).toBeUndefined();
		expect(verifyUserToken("", key, now)).toBeUndefined();
		expect(verifyUserToken("a.b.c", key, now)).toBeUndefined();
	});

	it("needs the algorithm, a user and an expiry, whatever the signature says", async () => {
		const { createHmac } = await import("node:crypto");
		const signed = (header: unknown, payload: unknown) => {
			const body = jwt(header, payload);
			return `${body}.${createHmac("sha256", key).update(body).digest("base64url")}`;
		};
		const exp = now / 1000 + 60;
		expect(verifyUserToken(signed({ alg: "HS256" }, { sub: "ann", exp }), key, now)).toBeDefined();
		expect(verifyUserToken(signed({ alg: "none" }, { sub: "ann", exp }), key, now)).toBeUndefined();
		expect(verifyUserToken(signed({ alg: "HS256" }, { sub: "ann" }), key, now)).toBeUndefined();
		expect(verifyUserToken(signed({ alg: "HS256" }, { sub: "", exp }), key, now)).toBeUndefined();
		expect(verifyUserToken(signed({ alg: "HS256" }, { sub: 1, exp }), key, now)).toBeUndefined();
		expect(
			verifyUserToken(signed({ alg: "HS256" }, { sub: "a".repeat(256), exp }), key, now),
		).toBeUndefined();
		expect(
			verifyUserToken(signed({ alg: "HS256" }, { sub: "ann", exp, nbf: exp }), key, now),
		).toBeUndefined();
		expect(verifyUserToken(`${jwt({ alg: "none" }, { sub: "ann", exp })}.`, key, now)).toBeUndefined();
	});

	it("compares secrets of any length", () => {
		expect(sameSecret("a", "a")).toBe(true);
		expect(sameSecret("a", "b")).toBe(false);
		expect(sameSecret("a", "aa")).toBe(false);
		expect(sameSecret("", "a")).toBe(false);
	});
});

describe("the cache", () => {
	it("asks once for many, and again after an error or a change", async () => {
		const cache = new Cache();
		let asked = 0;
		const ask = async () => ++asked;
		expect(await Promise.all([cache.get(["a"], ask), cache.get(["a"], ask)])).toEqual([1, 1]);
		expect(await cache.get(["a"], ask)).toBe(1);
		expect(await cache.get(["b"], ask)).toBe(2);
		cache.clear();
		expect(await cache.get(["a"], ask)).toBe(3);
		await expect(cache.get(["c"], () => Promise.reject(new Error("no")))).rejects.toThrow("no");
		expect(await cache.get(["c"], ask)).toBe(4);
	});
});

it.each([
	[true, true, "counted"],
	[true, false, "no worker"],
	[false, true, "not preloaded"],
	[false, false, "not preloaded"],
] as const)("denials, preloaded: %s, with a worker: %s, are %s", (preloaded, worker, state) => {
	const none = new Set<string>();
	const features = {
		...{ schema: "usage", version: "1", role: "x", inRecovery: false },
		...{ functions: none, readable: none, writable: none, preloaded, worker },
	};
	expect(denialsState(features)).toBe(state);
});

describe("what people type and read", () => {
	it.each([
		["10", false, { value: 10 }],
		["1,000", false, { value: 1000 }],
		["0", false, { value: 0 }],
		["x", true, { value: -1 }],
		["1000000000000000", false, { value: 1e15 }],
	])("takes %s (unlimited: %s)", (text, unlimited, result) => {
		expect(fieldValue({ text, unlimited })).toEqual(result);
	});

	it.each(["", "-1", "1.5", "x", "1e3", "1000000000000001"])("refuses %j as a limit", (text) => {
		expect(fieldValue({ text, unlimited: false })).toHaveProperty("error");
	});

	it.each([
		[0, "0 s"],
		[1, "1 s"],
		[59_000, "59 s"],
		[61_000, "1 min 1 s"],
		[3_600_000, "1 h"],
		[90_061_000, "1 d 1 h"],
	])("%d ms are %s", (span, text) => {
		expect(spanText(span)).toBe(text);
	});

	it("tells what a change was", () => {
		const oldRow = { id: 1, limit_type: "a", free_tier_limit: 3, enforcement: "hard", updated_at: "x" };
		expect(differences({ oldRow, newRow: { ...oldRow, free_tier_limit: -1, updated_at: "y" } })).toEqual([
			{ key: "Free", before: "3", after: "unlimited" },
		]);
		expect(differences({ oldRow: null, newRow: null })).toEqual([]);
	});
});
