namespace Proxy.Rights;

/// <summary>What a user wants to do with a study; a decision point may allow one and not another.</summary>
public enum StudyAction
{
    /// <summary>To find and retrieve it.</summary>
    View,

    /// <summary>To store instances into it.</summary>
    Store,

    /// <summary>To delete or change it in the backend.</summary>
    Delete,

    /// <summary>To prefetch it.</summary>
    Prefetch,
}
