/** The built server, started as a process of its own, from end to end over HTTP. */

import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createTRPCClient, httpLink } from "@trpc/client";
import pg from "pg";
import { usageLimitOf } from "usage-limits";
import { fetchSource } from "usage-limits/react";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AppRouter } from "../src/router.js";

const folder = fileURLToPath(new URL("..", import.meta.url));
const host = process.env.PGHOST;
if (!host)
	throw new Error("This test needs a server with the extension: run it by `sh test/run typescript`.");
const port = process.env.PGPORT ?? "5432";
const name = `example_${randomBytes(6).toString("hex")}`;
const urlOf = (user: string, database: string) =>
	`postgres://${user}@localhost:${port}/${database}?host=${encodeURIComponent(host)}`;

const superuser = process.env.PGUSER ?? "postgres";
const maintenance = new pg.Client(urlOf(superuser, "postgres"));
const admin = new pg.Pool({ connectionString: urlOf(superuser, name), max: 2 });
let address: string;
let stop: () => Promise<unknown>;

beforeAll(async () => {
	await maintenance.connect();
	await maintenance.query(`CREATE DATABASE ${name}`);
	await maintenance.query(`CREATE ROLE ${name} LOGIN`);
	const env = { ...process.env, DATABASE_URL: urlOf(superuser, name) };
	execFileSync("npm", ["run", "migrate"], { cwd: folder, env, stdio: "pipe" });
	// half past two, and no midnight while the tests run
	await admin.query(`ALTER DATABASE ${name} SET usage_limits.test_clock = '2026-03-01 14:30:00+00'`);
	await admin.query(`SELECT usage.usage_grant('${name}', 'app'); GRANT ALL ON scenes, videos TO ${name}`);

	const server = spawn(process.execPath, ["dist/server/server.js"], {
		cwd: folder,
		env: { ...process.env, DATABASE_URL: urlOf(name, name), PORT: "0" },
		stdio: ["ignore", "pipe", "inherit"],
	});
	const [line] = (await once(createInterface(server.stdout), "line")) as [string];
	address = line.replace("listening on ", "");
	stop = () => {
		const exited = once(server, "exit");
		server.kill();
		return exited;
	};
});
afterAll(async () => {
	await stop?.();
	await admin.end();
	await maintenance.query(`DROP DATABASE ${name}`);
	await maintenance.query(`DROP ROLE ${name}`);
	await maintenance.end();
});

const apiOf = (user: string) =>
	createTRPCClient<AppRouter>({ links: [httpLink({ url: `${address}/trpc`, headers: { "x-user": user } })] });
const one = async (text: string, values: unknown[] = []) => (await admin.query(text, values)).rows[0];
const countersOf = (user: string, usageType: string) =>
	one(
		`SELECT sum(amount)::int AS amount, sum(failed_events)::int AS failed FROM usage.usage_counters
		WHERE user_id = $1 AND usage_type = $2`,
		[user, usageType],
	);

test("50 exports at once against a limit of 3: exactly 3 are made", async () => {
	const responses = await Promise.all(
		Array.from({ length: 50 }, () =>
			fetch(`${address}/api/export`, { method: "POST", headers: { "x-user": "ann" } }),
		),
	);
	const by = (status: number) => responses.filter((response) => response.status === status);
	expect(by(200)).toHaveLength(3);
	expect(by(429)).toHaveLength(47);
	for (const response of responses)
		expect(response.headers.get("ratelimit-policy")).toBe('"exports_daily";q=3');
	expect(
		by(200)
			.map((response) => response.headers.get("ratelimit")?.match(/^"exports_daily";(r=.);t=\d+$/)?.[1])
			.sort(),
	).toEqual(["r=0", "r=1", "r=2"]);
	for (const response of by(200)) expect(response.headers.get("retry-after")).toBeNull();
	const secondsToMidnight = 34_200;
	for (const response of by(429)) {
		expect(response.headers.get("retry-after")).toBe(String(secondsToMidnight));
		expect(response.headers.get("ratelimit")).toBe(`"exports_daily";r=0;t=${secondsToMidnight}`);
		expect(response.headers.get("content-type")).toBe("application/problem+json");
		expect(await response.json()).toMatchObject({ status: 429, "violated-policies": ["exports_daily"] });
	}
	expect(await countersOf("ann", "export")).toEqual({ amount: 3, failed: 0 });
});

test("the same over tRPC, each with the cause and the headers", async () => {
	const call = () =>
		fetch(`${address}/trpc/exportVideo`, {
			method: "POST",
			headers: { "x-user": "bea", "content-type": "application/json" },
			body: JSON.stringify({ format: "mp4" }),
		});
	const responses = await Promise.all(Array.from({ length: 50 }, call));
	const denied = responses.filter((response) => response.status === 429);
	expect(responses.filter((response) => response.status === 200)).toHaveLength(3);
	expect(denied).toHaveLength(47);
	for (const response of denied) {
		expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
		expect(response.headers.get("ratelimit")).toMatch(/^"exports_daily";r=0;t=\d+$/);
	}
	const error = await apiOf("bea")
		.exportVideo.mutate({ format: "mp4" })
		.catch((error: unknown) => error);
	expect(usageLimitOf(error)).toMatchObject({ limitType: "exports_daily", current: 3, limit: 3 });
	expect((await one("SELECT count(*)::int AS n FROM videos WHERE owner_id = 'bea'")).n).toBe(3);
});

test("an export that fails is given back, and logged", async () => {
	const api = apiOf("cat");
	for (let i = 0; i < 4; i++)
		await expect(api.exportVideo.mutate({ format: "broken" })).rejects.toThrow("the renderer has crashed");
	const failed = await fetch(`${address}/api/export?format=broken`, {
		method: "POST",
		headers: { "x-user": "cat" },
	});
	expect(failed.status).toBe(500);
	expect(await countersOf("cat", "export")).toEqual({ amount: 0, failed: 5 });
	await api.exportVideo.mutate({ format: "mp4", quality: "hd" });
	expect(await countersOf("cat", "export")).toEqual({ amount: 1, failed: 5 });
	const { recentEvents } = await api.usage.getUserStats.query();
	expect(
		recentEvents.map(({ status, errorMessage, eventSubtype }) => ({ status, errorMessage, eventSubtype })),
	).toEqual([
		{ status: "success", errorMessage: null, eventSubtype: "mp4" },
		{ status: "failed", errorMessage: "the renderer has crashed", eventSubtype: "mp4" },
		...Array(4).fill({ status: "failed", errorMessage: "the renderer has crashed", eventSubtype: "broken" }),
	]);
	expect(recentEvents[0]?.metadata).toEqual({ format: "mp4", quality: "hd" });
	expect(recentEvents[0]?.durationMs).toBeGreaterThanOrEqual(20);
});

test("generations are asked for and tracked as before", async () => {
	const api = apiOf("dan");
	for (let i = 0; i < 10; i++) await api.generateScene.mutate({ prompt: "a cat" });
	await expect(api.generateScene.mutate({ prompt: "a cat" })).rejects.toMatchObject({
		data: { code: "TOO_MANY_REQUESTS", usageLimit: { limitType: "prompts_daily", limit: 10 } },
	});
	const { totals, recentEvents } = await api.usage.getUserStats.query({ days: 1 });
	expect(totals).toEqual({ prompt: 10 });
	expect(recentEvents[0]).toMatchObject({ eventSubtype: "gpt-4o-mini", tokensUsed: 15 });
	await expect(apiOf("eve").generateScene.mutate({ prompt: "" })).rejects.toThrow("no idea");
	expect(await countersOf("eve", "prompt")).toEqual({ amount: 0, failed: 1 });
});

test("what is saved and its use are one transaction", async () => {
	const api = apiOf("fay");
	const saved = await Promise.allSettled(
		Array.from({ length: 8 }, () => api.saveScene.mutate({ prompt: "a dog" })),
	);
	expect(saved.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
	expect((await one("SELECT count(*)::int AS n FROM scenes WHERE owner_id = 'fay'")).n).toBe(5);
	expect(await countersOf("fay", "project_create")).toEqual({ amount: 5, failed: 0 });
});

test("shows the limits to whom they belong", async () => {
	expect(await apiOf("ann").usage.getUserLimits.query()).toMatchObject({
		tier: "free",
		exports: { current: 3, limit: 3, allowed: false, remaining: 0 },
		prompts: { current: 0, limit: 10, allowed: true },
	});
	const source = fetchSource(`${address}/api/usage`, { headers: { "x-user": "ann" } });
	expect(await source.getUserLimits()).toMatchObject({ limits: { exports_daily: { current: 3 } } });
	expect((await fetch(`${address}/api/usage/limits`)).status).toBe(401);
	const page = await (await fetch(address)).text();
	const script = page.match(/src="(\/assets\/[^"]+\.js)"/)?.[1];
	expect((await fetch(address + script)).headers.get("content-type")).toBe("text/javascript");
});
