/** A browser before the dashboard, for the tests of the pages; CHROMIUM names it. */
import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { signUserToken } from "../src/server/auth";
import { adminToken, Dashboard, friday, TestDatabase, userSecret } from "./server";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

export let database: TestDatabase;
export let dashboard: Dashboard;
export let browser: Browser;
export let context: BrowserContext;
export let page: Page;
/** What the page's console had to say. */
const complaints: string[] = [];

/** Called by a file of tests, which gets a database of its own with the demo's data. */
export function onSite(name: string): void {
	beforeAll(async () => {
		expect(existsSync(executablePath), executablePath).toBe(true);
		database = await TestDatabase.create(name);
		await database.setClock(friday);
		await database.fill();
		await database.role(name, "admin");
		dashboard = await Dashboard.start(database.url(name), [
			"--token-file",
			"{token}",
			"--user-secret-file",
			"{secret}",
		]);
		browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
		context = await newContext();
		page = await newPage(context);
	}, 120_000);

	afterAll(async () => {
		await browser?.close();
		await dashboard?.stop();
		await database?.close();
	});

	afterEach(() => {
		expect(complaints.splice(0)).toEqual([]);
	});
}

export function newContext(colorScheme: "light" | "dark" = "light"): Promise<BrowserContext> {
	return browser.newContext({
		viewport: { width: 1280, height: 800 },
		colorScheme,
		timezoneId: "UTC",
		locale: "en-GB",
	});
}

export async function newPage(from: BrowserContext): Promise<Page> {
	const fresh = await from.newPage();
	fresh.setDefaultTimeout(15_000);
	fresh.on("pageerror", (error) => complaints.push(error.message));
	fresh.on("console", (message) => {
		// what the server refuses is the test's own doing
		if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
			complaints.push(message.text());
	});
	return fresh;
}

export const tokenOf = (userId: string) => signUserToken({ userId, secret: userSecret, hours: 1 });

export async function open(path: string, on = page): Promise<void> {
	await on.goto(dashboard.origin + path);
	await on.locator("h1").first().waitFor();
	await settled(on);
}

/** Nothing is loading any more. */
export async function settled(on = page): Promise<void> {
	await on.waitForFunction(() => !document.querySelector('[role="status"][aria-label="Loading"]'));
}

/** As an administrator. */
export async function signIn(on = page): Promise<void> {
	await on.goto(`${dashboard.origin}/overview#token=${adminToken}`);
	await on.getByRole("heading", { name: "Overview" }).waitFor();
}

export const numberOf = (text: string | null): number => Number((text ?? "").replace(/[^\d.-]/g, ""));
export const card = (name: string, on = page): Locator =>
	on.getByRole("region", { name, exact: true }).first();

/** The texts of a table's rows, cell by cell. */
export async function cells(table: Locator): Promise<string[][]> {
	return table
		.locator("tbody tr")
		.evaluateAll((rows) =>
			rows.map((row) => [...row.children].map((cell) => (cell as HTMLElement).innerText)),
		);
}

export const choose = (group: string, option: string, on = page) =>
	on
		.getByRole("group", { name: group })
		.getByRole("radio", { name: option, exact: true })
		.check({ force: true });
