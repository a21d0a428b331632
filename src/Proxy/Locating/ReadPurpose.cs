namespace Proxy.Locating;

/// <summary>What series lists and metadata are read for.</summary>
public enum ReadPurpose
{
    /// <summary>A client uses them; stored ones are sufficient while they are fresh.</summary>
    Client,

    /// <summary>A client, or a contradiction, requires them from the backend, however fresh the stored ones are.</summary>
    Reload,

    /// <summary>No client has requested them yet: no event is raised, and no owner is set.</summary>
    Prefetch,
}
