// The front door: signing in, signing out and the first account.

import { api, tell } from "./app.js";

/** Send a form as JSON; tells beside it what is wrong, and goes on when nothing is. */
function send(form, path, values) {
  const problem = form.querySelector("[data-problem]");
  const button = form.querySelector("button[type=submit]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.hidden = true;
    try {
      const body = values(new FormData(form));
      button.disabled = true;
      const answer = await api("POST", path, body);
      location.assign(answer.next);
    } catch (error) {
      button.disabled = false;
      problem.textContent = [error.message, error.todo].filter(Boolean).join(" ");
      problem.hidden = false;
      const code = form.querySelector("[data-code-field]");
      if (code && error.secondFactor) {
        problem.hidden = !code.querySelector("input").value;
        code.hidden = false;
        code.querySelector("input").select();
      } else form.querySelector("input[type=password]").select();
    }
  });
}

const signIn = document.querySelector("[data-signin]");
if (signIn) {
  send(signIn, "/signin", (data) => ({ name: data.get("name"), password: data.get("password"), code: data.get("code"), next: data.get("next") }));
}

const setup = document.querySelector("[data-setup]");
if (setup) {
  send(setup, "/setup", (data) => {
    if (data.get("password") !== data.get("again")) throw new Error("The two passwords differ.");
    return { key: new URLSearchParams(location.search).get("key"), name: data.get("name"), password: data.get("password") };
  });
}

document.querySelector("[data-signout]")?.addEventListener("click", async () => {
  try {
    await api("POST", "/signout");
    location.assign("/signout");
  } catch (error) {
    tell(error);
  }
});
