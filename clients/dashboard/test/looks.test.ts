/** How the pages look and who can use them; SCREENSHOTS names a folder for pictures. */
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import {
	browser,
	context,
	dashboard,
	database,
	newPage,
	onSite,
	open,
	page,
	settled,
	signIn,
} from "./browser";

const screenshots = process.env.SCREENSHOTS;
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

onSite("dashboard_looks");

describe("looks and access", () => {
	beforeAll(async () => {
		await database.rows(`
			INSERT INTO usage_denials (user_id, limit_type, usage_date, count)
			SELECT 'user' || n, (ARRAY['exports_daily', 'prompts_daily'])[1 + n % 2], '2026-03-12', n FROM generate_series(1, 12) n;
			WITH a AS (INSERT INTO usage_alerts (percent) VALUES (80), (100) RETURNING id)
			INSERT INTO usage_alert_log (user_id, limit_type, alert_id, current, "limit")
			SELECT 'user' || n, 'prompts_daily', id, 8, 10 FROM a, generate_series(1, 5) n`);
		await signIn();
	});

	const pages: [string, string][] = [
		["overview", "/overview?days=30"],
		["limits", "/limits"],
		["history", "/limits?view=history"],
		["users", "/users"],
		["user", "/users/USER"],
		["activity", "/users/USER?view=activity"],
		["overrides", "/users/USER?view=overrides"],
		["credits", "/users/USER?view=credits"],
		["me", "/me?as=USER"],
	];

	/** What axe finds serious or worse. */
	async function audit(on: Page): Promise<string[]> {
		await on.addScriptTag({ path: axe }).catch(() => on.evaluate("0"));
		return on.evaluate(async () => {
			const { violations } = await (
				window as unknown as { axe: { run: () => Promise<{ violations: Violation[] }> } }
			).axe.run();
			interface Violation {
				id: string;
				impact: string;
				nodes: { target: string[]; failureSummary: string }[];
			}
			return violations
				.filter(({ impact }) => impact === "serious" || impact === "critical")
				.flatMap(({ id, nodes }) =>
					nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")} ${failureSummary}`),
				);
		});
	}

	async function picture(on: Page, name: string): Promise<void> {
		if (!screenshots) return;
		mkdirSync(screenshots, { recursive: true });
		await on.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
	}

	/** A browser of that theme that lets axe in, and the user with something on every page. */
	async function inTheme(theme: "light" | "dark") {
		const themed = await browser.newContext({
			viewport: { width: 1280, height: 800 },
			colorScheme: theme,
			timezoneId: "UTC",
			bypassCSP: true,
			reducedMotion: "reduce",
		});
		const { user_id } = await database.one(
			"SELECT user_id FROM usage_limit_overrides WHERE user_id IS NOT NULL LIMIT 1",
		);
		const look = await newPage(themed);
		const check = async (name: string) => {
			expect(await audit(look), `${name} ${theme}`).toEqual([]);
			await picture(look, `${name}-${theme}`);
		};
		const goTo = async (path: string) => {
			await look.goto(dashboard.origin + path.replace("USER", encodeURIComponent(String(user_id))));
			await look.locator("h1").first().waitFor();
			await look.waitForLoadState("networkidle");
			await settled(look);
		};
		return { themed, look, check, goTo };
	}

	it.each(["light", "dark"] as const)("axe finds nothing serious in the %s theme", async (theme) => {
		const { themed, look, check, goTo } = await inTheme(theme);
		await goTo("/login");
		await look.getByRole("heading", { name: "Sign in" }).waitFor();
		await check("login");
		await signIn(look);
		for (const [name, path] of pages) {
			await goTo(path);
			if (name === "user") {
				await look.getByRole("button", { name: "Explain" }).click();
				await look.locator("[data-allowed]").waitFor();
			}
			expect(await look.locator("html").getAttribute("data-theme")).toBe(theme);
			await check(name);
		}
		await themed.close();
	});

	it.each(["light", "dark"] as const)("axe finds nothing serious in the %s dialogs", async (theme) => {
		const { themed, look, check, goTo } = await inTheme(theme);
		await signIn(look);
		await goTo("/limits");
		await look.getByRole("button", { name: "Edit prompts_daily" }).click();
		const dialog = look.getByRole("dialog");
		await dialog.getByLabel("Free", { exact: true }).fill("x");
		await dialog.getByRole("button", { name: "Save" }).click();
		await check("edit");
		await dialog.getByLabel("Free", { exact: true }).fill("2");
		await look.locator("[data-preview=free]").scrollIntoViewIfNeeded();
		await check("preview");
		for (const [path, button] of [
			["/limits", "New limit"],
			["/users/USER", "Change tier"],
			["/users/USER?view=overrides", "Add override"],
			["/users/USER?view=credits", "Grant credits"],
		] as const) {
			await goTo(path);
			await look.getByRole("button", { name: button }).click();
			await dialog.waitFor();
			await check(button.toLowerCase().replace(" ", "-"));
		}
		await themed.close();
	});

	it("the pages fit a narrow screen", async () => {
		const narrow = await browser.newContext({
			viewport: { width: 390, height: 844 },
			storageState: await context.storageState(),
		});
		const look = await newPage(narrow);
		for (const [name, path] of pages) {
			await open(path.replace("USER", "ada.berg%40example.com"), look);
			await look.waitForLoadState("networkidle");
			expect(await look.evaluate(() => document.documentElement.scrollWidth), name).toBeLessThanOrEqual(390);
			await picture(look, `${name}-narrow`);
		}
		await narrow.close();
	});

	it("everything is within the keyboard's reach", async () => {
		await open("/limits");
		await page.keyboard.press("Tab");
		expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to the content");
		await page.keyboard.press("Enter");
		await page.getByRole("button", { name: "Edit exports_daily" }).focus();
		await page.keyboard.press("Enter");
		const dialog = page.getByRole("dialog");
		await dialog.waitFor();
		const inside = new Set<boolean>();
		for (let step = 0; step < 30; step++) {
			await page.keyboard.press("Tab");
			inside.add(
				await page.evaluate(
					() =>
						document.activeElement === document.body || document.activeElement?.closest("dialog") !== null,
				),
			);
		}
		expect([...inside]).toEqual([true]);
		await page.keyboard.press("Escape");
		await dialog.waitFor({ state: "detached" });
	});

	it("the theme that is chosen stays", async () => {
		await open("/limits");
		await page.getByRole("button", { name: "Change to the dark theme" }).click();
		expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
		await page.reload();
		await page.getByRole("button", { name: "Change to the light theme" }).waitFor();
		expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
		await page.getByRole("button", { name: "Change to the light theme" }).click();
	});
});
