/*
 * The operating system of the nested test guest, all 512 bytes of it.
 *
 * It reports what a PC's keyboard controller delivers: for every byte read from
 * port 0x60 it writes two bytes to QEMU's debug console (isa-debugcon at port
 * 0xe9), a tag and the byte. Tags: 'K' keyboard (scancode set 1), 'M' auxiliary
 * port, that is the PS/2 mouse. Once both devices are listening it writes
 * 'R', 0. Whatever a test reads there is what a guest's driver would have got.
 *
 * When the machine's power button is pressed it switches the machine off.
 *
 * The mouse is switched to the five-button wheel protocol (ImExPS/2), which has
 * packets of four bytes. Between interrupts the processor halts, so an idle
 * guest costs its host nothing.
 *
 * Build: as --32 -o bootsector.o bootsector.S
 *        ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o bootsector.bin bootsector.o
 */

	.code16
	.globl	_start

	.set	DATA, 0x60
	.set	CONTROL, 0x64		/* read: status, write: command */
	.set	OUTPUT_FULL, 0x01	/* status: a byte is waiting in DATA */
	.set	INPUT_FULL, 0x02	/* status: the controller is still busy */
	.set	FROM_MOUSE, 0x20	/* status: the waiting byte is the mouse's */
	.set	DEBUGCON, 0xe9

	/* Where SeaBIOS puts the power management of both chipsets of QEMU. */
	.set	SMI_COMMAND, 0xb2
	.set	PM_STATUS, 0x600
	.set	PM_ENABLE, 0x602
	.set	PM_CONTROL, 0x604
	.set	POWER_BUTTON, 0x100	/* in PM_STATUS and PM_ENABLE */
	.set	SOFT_OFF, 0x2000	/* in PM_CONTROL: go to sleep, the deepest there is */

_start:
	cli
	cld
	ljmp	$0, $1f
1:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$0x7c00, %sp

	/* All interrupts only wake the processor; the loop below does the work. */
	movw	$wake, 0x09 * 4		/* IRQ 1, keyboard */
	movw	%ax, 0x09 * 4 + 2
	movw	$wake, 0x71 * 4		/* IRQ 9, power management */
	movw	%ax, 0x71 * 4 + 2
	movw	$wake, 0x74 * 4		/* IRQ 12, mouse */
	movw	%ax, 0x74 * 4 + 2
	movb	$0xf9, %al		/* of the first PIC: keyboard and cascade */
	outb	%al, $0x21
	movb	$0xed, %al		/* of the second PIC: power management and mouse */
	outb	%al, $0xa1

	movb	$0xf1, %al		/* ACPI on, says machine pc */
	outb	%al, $SMI_COMMAND
	movb	$0x02, %al		/* and machine q35 */
	outb	%al, $SMI_COMMAND
	movw	$PM_ENABLE, %dx
	movw	$POWER_BUTTON, %ax
	outw	%ax, %dx

	movb	$0xa8, %al		/* enable the auxiliary port */
	call	command
	movb	$0x60, %al		/* write the controller's mode: */
	call	command
	movb	$0x47, %al		/* translate to set 1, both interrupts on */
	call	write

	movw	$mouse_setup, %si
1:	lodsb
	testb	%al, %al
	jz	2f
	call	tell_mouse
	jmp	1b
2:	movb	$0xf4, %al		/* keyboard: start scanning */
	call	write
	call	read

	movw	$'R', %ax
	call	report

/* Report every byte that is there, then halt until there is one more. */
loop:
	cli
	movw	$PM_STATUS, %dx
	inw	%dx, %ax
	testw	$POWER_BUTTON, %ax
	jz	1f
	movw	$PM_CONTROL, %dx
	movw	$SOFT_OFF, %ax
	outw	%ax, %dx
1:
	inb	$CONTROL, %al
	testb	$OUTPUT_FULL, %al
	jz	2f
	movb	$'K', %bl
	testb	$FROM_MOUSE, %al
	jz	1f
	movb	$'M', %bl
1:	inb	$DATA, %al
	movb	%al, %ah
	movb	%bl, %al
	call	report
	jmp	loop
2:	sti				/* takes effect after hlt has begun: */
	hlt				/* no interrupt is lost in between */
	jmp	loop

wake:
	pushw	%ax
	movb	$0x20, %al
	outb	%al, $0xa0
	outb	%al, $0x20
	popw	%ax
	iretw

/* Write the tag in %al and the byte in %ah. */
report:
	outb	%al, $DEBUGCON
	movb	%ah, %al
	outb	%al, $DEBUGCON
	ret

/* Send %al to the mouse and take its answer. */
tell_mouse:
	movb	%al, %ah
	movb	$0xd4, %al
	call	command
	movb	%ah, %al
	call	write
read:
	inb	$CONTROL, %al
	testb	$OUTPUT_FULL, %al
	jz	read
	inb	$DATA, %al
	ret

/* Give %al to the controller, as a command or as data. */
command:
	call	wait_writable
	outb	%al, $CONTROL
	ret
write:
	call	wait_writable
	outb	%al, $DATA
	ret
wait_writable:
	pushw	%ax
1:	inb	$CONTROL, %al
	testb	$INPUT_FULL, %al
	jnz	1b
	popw	%ax
	ret

/*
 * Sample rates 200, 200, 80 are the knock that opens five buttons and a wheel,
 * 0xf4 starts the stream. The answer to each byte is one byte, 0xfa.
 */
mouse_setup:
	.byte	0xf3, 200, 0xf3, 200, 0xf3, 80, 0xf4, 0

	.org	_start + 510
	.word	0xaa55
