namespace Proxy.Dimse.Protocol;

/// <summary>The SOP classes of the services that the proxy uses (PS3.4 §A, §C, PS3.7 §A.4).</summary>
internal static class SopClass
{
    /// <summary>C-ECHO.</summary>
    public const string Verification = "1.2.840.10008.1.1";

    /// <summary>Study Root Query/Retrieve, C-FIND.</summary>
    public const string StudyRootFind = "1.2.840.10008.5.1.4.1.2.2.1";

    /// <summary>Study Root Query/Retrieve, C-GET.</summary>
    public const string StudyRootGet = "1.2.840.10008.5.1.4.1.2.2.3";

    /// <summary>Study Root Query/Retrieve, C-MOVE.</summary>
    public const string StudyRootMove = "1.2.840.10008.5.1.4.1.2.2.2";

    /// <summary>True for a class of the storage service: a standard one, or a private one (PS3.4 §B.5).</summary>
    public static bool IsStorage(string sopClass) =>
        sopClass.StartsWith("1.2.840.10008.5.1.4.1.1.", StringComparison.Ordinal)
        || sopClass.Length > 0 && !sopClass.StartsWith("1.2.840.10008.", StringComparison.Ordinal);
}

/// <summary>Statuses of DIMSE answers (PS3.7 §C, PS3.4 §C.4).</summary>
internal static class DimseStatus
{
    /// <summary>The operation is complete.</summary>
    public const ushort Success = 0x0000;

    /// <summary>Some sub-operations failed.</summary>
    public const ushort SomeFailed = 0xB000;

    /// <summary>The requester cancelled the operation.</summary>
    public const ushort Cancelled = 0xFE00;

    /// <summary>The peer does not support the SOP class.</summary>
    public const ushort SopClassNotSupported = 0x0122;

    /// <summary>The peer may not do this.</summary>
    public const ushort NotAuthorized = 0x0124;

    /// <summary>The peer cannot understand the instance.</summary>
    public const ushort CannotUnderstand = 0xC000;

    /// <summary>True while further answers follow; FF01 also says that the peer does not match optional keys.</summary>
    public static bool IsPending(ushort status) => status is 0xFF00 or 0xFF01;

    /// <summary>The status in words, as a part of a sentence about the peer.</summary>
    public static string Describe(ushort status) => status switch
    {
        0xA700 or 0xA701 => $"it is out of resources (status {status:X4})",
        0xA702 => "it could not perform sub-operations (status A702)",
        0xA801 => "it does not know the move destination (status A801)",
        0xA900 => "the identifier does not match the SOP class (status A900)",
        0x0122 => "it does not support the SOP class (status 0122)",
        0x0124 => "it does not authorize the operation (status 0124)",
        SomeFailed => "some sub-operations failed (status B000)",
        Cancelled => "it cancelled the operation (status FE00)",
        _ => $"status {status:X4}",
    };
}

/// <summary>An answer whose status is a failure.</summary>
/// <param name="status">The status.</param>
internal sealed class DimseStatusException(ushort status) : Exception(DimseStatus.Describe(status))
{
    /// <summary>The status.</summary>
    public ushort Status => status;
}
