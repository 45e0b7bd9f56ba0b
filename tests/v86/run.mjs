// SPDX-License-Identifier: MIT
// node tests/v86/run.mjs DIRECTORY cd|disk|floppy IMAGE MIB [DISK [SECOND DISK]]: boot IMAGE in v86, the
// serial line goes to standard output. DIRECTORY is where npm has put the package v86. What is written
// to DISKs, which are on the first channel, is in their files at the end.
//
// The package holds no BIOS: Debian's seabios has one. v86 answers no shutdown, so the end is the
// line that the kernel prints before it halts for good (kernel/machine.c).
import { readFileSync, writeFileSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [directory, medium, image, mib, ...disks] = process.argv.slice(2);
const build = resolve(directory, "node_modules/v86/build");
const { V86 } = await import(pathToFileURL(`${build}/libv86.mjs`));

function file(path) {
    const { buffer, byteOffset, byteLength } = readFileSync(path);
    return { buffer: buffer.slice(byteOffset, byteOffset + byteLength) };
}

const media = {
    cd: { cdrom: file(image), boot_order: 0x3 },
    disk: { hda: file(image), boot_order: 0x2 },
    floppy: { fda: file(image), boot_order: 0x1 },
};

const plugs = medium === "disk" ? ["hdb"] : ["hda", "hdb"];
const contents = disks.map(file);

const emulator = new V86({
    wasm_path: `${build}/v86.wasm`,
    bios: file("/usr/share/seabios/bios.bin"),
    vga_bios: file("/usr/share/seabios/vgabios-stdvga.bin"),
    memory_size: Number(mib) * 1024 * 1024,
    disable_speaker: true,
    autostart: true,
    ...media[medium],
    ...Object.fromEntries(contents.map((content, i) => [plugs[i], content])),
});

let line = "";
emulator.add_listener("serial0-output-byte", (byte) => {
    const character = String.fromCharCode(byte);
    line += character;
    if (character !== "\n") return;
    writeSync(1, line);
    if (line.startsWith("The machine is halted")) {
        disks.forEach((disk, i) => writeFileSync(disk, new Uint8Array(contents[i].buffer)));
        process.exit(0);
    }
    line = "";
});
