using System.Collections.Immutable;
using System.Net;
using Proxy.Cache.InMemory;
using Proxy.Dicom;
using Proxy.Identity;

namespace Proxy.Prefetch.Planning;

/// <summary>Identifies a viewer well enough to tell its work list from another's.</summary>
/// <param name="Root">The DICOMweb root that the viewer uses; prefetching for it stays within this root.</param>
/// <param name="Address">The client's IP address.</param>
/// <param name="Agent">The hash of the user agent.</param>
/// <param name="Credential">The hash of the credential.</param>
public sealed record Viewer(string Root, IPAddress? Address, int Agent, int Credential)
{
    /// <summary>Identifies the viewer of a request.</summary>
    public static Viewer Identify(HttpContext context, string root) => new(
        root,
        context.Connection.RemoteIpAddress,
        context.Request.Headers.UserAgent.ToString().GetHashCode(StringComparison.Ordinal),
        (context.GetCaller() is { IsAnonymous: false } caller ? caller.Identity : context.Request.Headers.Authorization.ToString())
            .GetHashCode(StringComparison.Ordinal));
}

/// <summary>
/// The recent work lists of each viewer and its open study. They have a small budget of their own, and a purge of the cache does
/// not clear them.
/// </summary>
/// <param name="time">The clock.</param>
public sealed class WorkLists(TimeProvider time) : IDisposable
{
    /// <summary>The budget in bytes, enough for some hundred viewers with long lists; the least recently used is evicted.</summary>
    private const long MaxBytes = 4 << 20;

    /// <summary>The most lists per viewer, because viewers search again while a study is open.</summary>
    private const int MaxLists = 4;

    /// <summary>The most studies of a list; the rest is dropped.</summary>
    private const int MaxStudies = 1000;

    /// <summary>The approximate size of a viewer's key and the objects around the lists, in bytes.</summary>
    private const int OverheadBytes = 640;

    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(30);

    /// <summary>How long the same list is not stored again, which would extend its lifetime.</summary>
    private static readonly TimeSpan MaxUnextended = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly MemoryPart _viewers = new(MaxBytes, time, static _ => { });

    private sealed record Key(Viewer Viewer);

    /// <summary>The work lists of one viewer.</summary>
    /// <param name="Lists">The lists, newest first.</param>
    /// <param name="Open">The study that was opened last.</param>
    private sealed record ViewerState(ImmutableArray<ImmutableArray<Uid>> Lists, Uid Open)
    {
        public static readonly ViewerState Empty = new([], default);
    }

    /// <summary>Adds a list that was returned to a viewer.</summary>
    public void Add(Viewer viewer, ImmutableArray<Uid> studies)
    {
        if (studies.Length < 2) return;
        if (HasRecently(viewer, studies)) return;
        var list = studies.Length > MaxStudies ? studies[..MaxStudies] : studies;
        lock (_lock)
        {
            var state = Find(viewer);
            // Viewers request the same list each time they return to it: store it once.
            var others = state.Lists.Where(other => !other.SequenceEqual(list)).Take(MaxLists - 1);
            Set(viewer, state with { Lists = [list, .. others] });
        }
    }

    /// <summary>True when this study is the open one of a viewer.</summary>
    public bool IsOpen(Viewer viewer, Uid study) => Find(viewer).Open == study;

    /// <summary>Sets the open study of a viewer; true when it has changed.</summary>
    public bool Open(Viewer viewer, Uid study)
    {
        if (Find(viewer).Open == study) return false;
        lock (_lock)
        {
            var state = Find(viewer);
            if (state.Open == study) return false;
            Set(viewer, state with { Open = study });
            return true;
        }
    }

    /// <summary>True when the viewer still has the study open after a delay.</summary>
    public async Task<bool> IsOpenAfterAsync(Viewer viewer, Uid study, TimeSpan delay, CancellationToken cancellation)
    {
        await Task.Delay(delay, time, cancellation);
        return Find(viewer).Open == study;
    }

    /// <summary>Finds the viewer's newest list that contains the study; empty for none.</summary>
    public ImmutableArray<Uid> FindList(Viewer viewer, Uid study) => Find(viewer).Lists.FirstOrDefault(list => list.Contains(study), []);

    /// <inheritdoc/>
    public void Dispose() => _viewers.Dispose();

    /// <summary>True when this is the viewer's newest list, and its lifetime need not be extended yet.</summary>
    private bool HasRecently(Viewer viewer, ImmutableArray<Uid> studies) =>
        _viewers.Find(new Key(viewer)) is { Until: { } until, Value: ViewerState { Lists: [var newest, ..] } }
            // A cached page has the same array each time.
            && newest == studies && until - _viewers.Now > Lifetime - MaxUnextended;

    private ViewerState Find(Viewer viewer) => _viewers.Find(new Key(viewer))?.Value as ViewerState ?? ViewerState.Empty;

    private void Set(Viewer viewer, ViewerState state) =>
        _viewers.Add(new Key(viewer), new(state, OverheadBytes + state.Lists.Sum(list => 16L * list.Length), _viewers.Now + Lifetime));
}
