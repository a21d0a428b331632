using System.Buffers.Binary;
using System.Text;
using Proxy.Wire;

namespace Proxy.Dimse.Protocol;

/// <summary>The kind of a message: Command Field (0000,0100), PS3.7 §E.1.</summary>
internal enum CommandField : ushort
{
    /// <summary>C-STORE-RQ.</summary>
    StoreRequest = 0x0001,

    /// <summary>C-GET-RQ.</summary>
    GetRequest = 0x0010,

    /// <summary>C-FIND-RQ.</summary>
    FindRequest = 0x0020,

    /// <summary>C-MOVE-RQ.</summary>
    MoveRequest = 0x0021,

    /// <summary>C-ECHO-RQ.</summary>
    EchoRequest = 0x0030,

    /// <summary>C-CANCEL-RQ.</summary>
    CancelRequest = 0x0FFF,

    /// <summary>C-STORE-RSP.</summary>
    StoreResponse = 0x8001,

    /// <summary>C-GET-RSP.</summary>
    GetResponse = 0x8010,

    /// <summary>C-FIND-RSP.</summary>
    FindResponse = 0x8020,

    /// <summary>C-MOVE-RSP.</summary>
    MoveResponse = 0x8021,

    /// <summary>C-ECHO-RSP.</summary>
    EchoResponse = 0x8030,
}

/// <summary>The command set of a message: group 0000, always in Implicit VR Little Endian (PS3.7 §6.3.1).</summary>
internal sealed class CommandSet
{
    /// <summary>The longest command set that is read, in bytes; a usual one has 200.</summary>
    public const int MaxBytes = 64 * 1024;

    private const ushort NoDataset = 0x0101;

    private readonly SortedDictionary<ushort, byte[]> _elements = [];

    /// <summary>Creates a command set.</summary>
    public CommandSet(CommandField field) => SetNumber(0x0100, (ushort)field);

    private CommandSet()
    {
    }

    /// <summary>The kind of the message.</summary>
    public CommandField Field => (CommandField)GetNumber(0x0100);

    /// <summary>Affected SOP Class UID (0000,0002); empty when it is missing.</summary>
    public string SopClass
    {
        get => GetText(0x0002);
        init => SetText(0x0002, value, 0);
    }

    /// <summary>Affected SOP Instance UID (0000,1000); empty when it is missing.</summary>
    public string SopInstance
    {
        get => GetText(0x1000);
        init => SetText(0x1000, value, 0);
    }

    /// <summary>Message ID (0000,0110).</summary>
    public ushort MessageId
    {
        get => GetNumber(0x0110);
        init => SetNumber(0x0110, value);
    }

    /// <summary>Message ID Being Responded To (0000,0120).</summary>
    public ushort RespondedTo
    {
        get => GetNumber(0x0120);
        init => SetNumber(0x0120, value);
    }

    /// <summary>Priority (0000,0700): 0 medium, 1 high, 2 low.</summary>
    public ushort Priority
    {
        get => GetNumber(0x0700);
        init => SetNumber(0x0700, value);
    }

    /// <summary>Status (0000,0900), PS3.7 §C.</summary>
    public ushort Status
    {
        get => GetNumber(0x0900);
        init => SetNumber(0x0900, value);
    }

    /// <summary>Move Destination (0000,0600): an AE title.</summary>
    public string MoveDestination
    {
        get => GetText(0x0600).Trim(' ');
        init => SetText(0x0600, value, (byte)' ');
    }

    /// <summary>Move Originator Application Entity Title (0000,1030); empty when the peer does not say it.</summary>
    public string MoveOriginator
    {
        get => GetText(0x1030).Trim(' ');
        init => SetText(0x1030, value, (byte)' ');
    }

    /// <summary>Move Originator Message ID (0000,1031); null when the peer does not say it.</summary>
    public int? MoveOriginatorId
    {
        get => FindNumber(0x1031);
        init => SetNumber(0x1031, (ushort)(value ?? 0));
    }

    /// <summary>Error Comment (0000,0902); empty when it is missing. It may contain what the peer likes.</summary>
    public string ErrorComment => GetText(0x0902);

    /// <summary>Whether a dataset follows: Command Data Set Type (0000,0800).</summary>
    public bool HasDataset
    {
        get => _elements.ContainsKey(0x0800) && GetNumber(0x0800) != NoDataset;
        init => SetNumber(0x0800, value ? (ushort)0 : NoDataset);
    }

    /// <summary>Number of Completed Sub-operations (0000,1021); null when the peer does not count.</summary>
    public int? Completed => FindNumber(0x1021);

    /// <summary>Number of Failed Sub-operations (0000,1022).</summary>
    public int? Failed => FindNumber(0x1022);

    /// <summary>Number of Warning Sub-operations (0000,1023).</summary>
    public int? Warnings => FindNumber(0x1023);

    /// <summary>Adds a number of 16 bits, for elements without a property.</summary>
    public void SetNumber(ushort element, ushort number)
    {
        var bytes = new byte[2];
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, number);
        _elements[element] = bytes;
    }

    /// <summary>Reads a command set.</summary>
    /// <exception cref="MalformedAnswerException">A length does not fit, a group is not 0000, or there is no command.</exception>
    public static CommandSet Read(ReadOnlySpan<byte> bytes)
    {
        var command = new CommandSet();
        while (!bytes.IsEmpty)
        {
            if (bytes.Length < 8 || BinaryPrimitives.ReadUInt16LittleEndian(bytes) != 0
                || BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]) is var length && length > (uint)bytes.Length - 8)
                throw PduReader.Malformed("A command set is not valid (PS3.7 §6.3.1).");
            command._elements[BinaryPrimitives.ReadUInt16LittleEndian(bytes[2..])] = bytes.Slice(8, (int)length).ToArray();
            bytes = bytes[(8 + (int)length)..];
        }
        return command._elements.ContainsKey(0x0100) ? command : throw PduReader.Malformed("A message has no Command Field.");
    }

    /// <summary>Writes the command set with its group length.</summary>
    public byte[] Write()
    {
        _elements.Remove(0);
        var length = _elements.Values.Sum(value => 8 + value.Length);
        var bytes = new byte[12 + length];
        var at = 0;
        var groupLength = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(groupLength, (uint)length);
        Add(0, groupLength);
        foreach (var (element, value) in _elements) Add(element, value);
        return bytes;

        void Add(ushort element, byte[] value)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(at + 2), element);
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at + 4), (uint)value.Length);
            value.CopyTo(bytes.AsSpan(at + 8));
            at += 8 + value.Length;
        }
    }

    private void SetText(ushort element, string text, byte padding)
    {
        var bytes = Encoding.ASCII.GetBytes(text);
        _elements[element] = bytes.Length % 2 == 0 ? bytes : [.. bytes, padding];
    }

    private ushort GetNumber(ushort element) => (ushort)(FindNumber(element) ?? 0);

    private int? FindNumber(ushort element) =>
        _elements.TryGetValue(element, out var value) && value.Length >= 2 ? BinaryPrimitives.ReadUInt16LittleEndian(value) : null;

    private string GetText(ushort element) =>
        _elements.TryGetValue(element, out var value) ? Encoding.ASCII.GetString(value.AsSpan().Trim("\0 "u8)) : "";
}
