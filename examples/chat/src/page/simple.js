// A page of the official client: it is in the lobby with all others. Log in first, at /.

const socket = io();
socket.on("chat message", show);

form.addEventListener("submit", (event) => {
  event.preventDefault();
  socket.emit("chat message", text.value);
  text.value = "";
});

function show(message) {
  const item = document.createElement("li");
  item.textContent = message;
  messages.append(item);
}
