using Proxy.Cache;

namespace Proxy.Cluster.Changes;

/// <summary>Applies the changes of other nodes to this one.</summary>
/// <param name="invalidation">Clears metadata, bodies and derived answers.</param>
/// <param name="patients">Finds the studies of a patient.</param>
internal sealed class ChangeApplication(StudyInvalidation invalidation, PatientStudies patients)
{
    private static readonly AsyncLocal<bool> _isRunning = new();

    /// <summary>True within the application of a change of another node, which is not announced again.</summary>
    public static bool IsRunning => _isRunning.Value;

    /// <summary>What clears this node; it raises the own changes.</summary>
    public StudyInvalidation Invalidation { get; } = invalidation;

    /// <summary>Applies a change: no request finds what it selects when the call completes.</summary>
    /// <param name="change">The change.</param>
    /// <param name="onDisk">Gets a task that completes when the change is applied to the disk; its result is false if it cannot be.</param>
    public async Task ApplyAsync(Change change, List<Task<bool>> onDisk)
    {
        if (change.Patient is { } patient)
        {
            // The studies that this node alone knows are announced, so that their bodies in the engine are deleted as well.
            onDisk.Add(PurgePatientAsync(patient));
            return;
        }
        _isRunning.Value = true;
        var removal = change.Removal;
        if (removal.Backend is null) onDisk.Add(Task.FromResult(await Invalidation.PurgeAsync(removal.Study)));
        else if (removal.Study is not { } study) onDisk.Add(Task.FromResult(await Invalidation.PurgeBackendAsync(removal.Backend)));
        else
        {
            var isKnown = study != default;
            onDisk.Add(Invalidation.FollowAsync(
                new(removal.Backend, isKnown ? study : null) { Bodies = isKnown && !removal.KeepsBodies ? [removal] : [] }));
        }
    }

    /// <summary>Drops all that this node has: it may have missed any change.</summary>
    /// <returns>False when the disk cannot be changed now.</returns>
    public async Task<bool> DropAllAsync()
    {
        _isRunning.Value = true;
        return await Invalidation.PurgeAsync(study: null);
    }

    private async Task<bool> PurgePatientAsync(PatientMark patient)
    {
        var isDeleted = true;
        foreach (var study in await patients.FindAsync(patient.Matches, CancellationToken.None))
            isDeleted &= await Invalidation.PurgeAsync(study);
        return isDeleted;
    }
}
