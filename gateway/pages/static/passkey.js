// The one script of the bank's pages: asks the authenticator and posts its answer with the form.
// Without it, or without an authenticator, password and code do the same.
"use strict";
(() => {
  const bytes = (text) => {
    const plain = text.replace(/-/g, "+").replace(/_/g, "/");
    return Uint8Array.from(atob(plain), (letter) => letter.charCodeAt(0));
  };
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  const asked = (form) => {
    const options = JSON.parse(form.dataset.options);
    options.challenge = bytes(options.challenge);
    options.allowCredentials = (options.allowCredentials || []).map((one) => ({
      ...one, id: bytes(one.id),
    }));
    return options;
  };

  const told = (credential) => JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: {
      clientDataJSON: text(credential.response.clientDataJSON),
      authenticatorData: text(credential.response.authenticatorData),
      signature: text(credential.response.signature),
      userHandle: credential.response.userHandle ? text(credential.response.userHandle) : null,
    },
  });

  if (!window.PublicKeyCredential) return;
  for (const form of document.querySelectorAll("form[data-options]")) {
    const button = form.querySelector("#passkey_button");
    if (!button) continue;
    form.hidden = false;
    button.hidden = false;
    button.addEventListener("click", async (event) => {
      event.preventDefault();
      try {
        const credential = await navigator.credentials.get({ publicKey: asked(form) });
        form.elements.credential.value = told(credential);
      } catch {
        form.elements.credential.value = "";
      }
      form.requestSubmit(button);
    });
  }
})();
